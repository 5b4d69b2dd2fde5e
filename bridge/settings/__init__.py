"""Environment + bridge.toml → frozen Settings; the only reader of os.environ."""

from bridge.settings.init import InitialFiles, initialise
from bridge.settings.load import count_together_in, load_settings, read_settings
from bridge.settings.model import Settings

__all__ = ["InitialFiles", "Settings", "count_together_in", "initialise", "load_settings", "read_settings"]
