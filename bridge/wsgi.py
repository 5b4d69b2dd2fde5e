"""The app for gunicorn's own command line: `gunicorn -c python:bridge.serving bridge.wsgi:app`.

It may not hold any logic.
"""

from bridge.settings import read_settings
from bridge.web.serve import make_app

app = make_app(read_settings())
