"""How the web process serves the app: gunicorn's options, its worker class and its start. It may not know a route."""
