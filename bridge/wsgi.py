"""The app for gunicorn's own command line: `gunicorn -c python:bridge.serving bridge.wsgi:app`.

It may not hold any logic.
"""

from bridge.serving import in_force
from bridge.web.serve import make_app

app = make_app(in_force.settings)
