"""An edited bridge.toml under programs that go on running. It may not know what a program does with it."""
