"""gunicorn's configuration, for its own command line: `gunicorn -c python:bridge.serving bridge.wsgi:app`.

It may not hold an option that `bridge web` has not.
"""

from bridge.reloading.in_force import InForce
from bridge.settings import read_settings
from bridge.web.logs import configure_parent_logs
from bridge.web.options import gunicorn_options

#: Renewed in gunicorn's arbiter; the children that it forks find it here (`bridge.wsgi`).
in_force = InForce("web", read_settings)
configure_parent_logs(in_force.settings)
globals().update(gunicorn_options(in_force))
