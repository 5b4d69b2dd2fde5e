"""From the bytes of a request to a recorded event: sources, verification, formats, recording."""
