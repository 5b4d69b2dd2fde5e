"""gunicorn's configuration, for its own command line: `gunicorn -c python:bridge.serving bridge.wsgi:app`.

It may not hold an option that `bridge web` has not.
"""

from bridge.settings import read_settings
from bridge.web.logs import configure_parent_logs
from bridge.web.options import gunicorn_options

_settings = read_settings()
configure_parent_logs(_settings)
globals().update(gunicorn_options(_settings))
