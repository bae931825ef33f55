"""Callback apps that a host mounts: ``asgi.CallbackApp`` and ``wsgi.CallbackApp``. They need no framework."""
