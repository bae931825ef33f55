"""Callback apps to mount in a host: ``asgi.CallbackApp`` and ``wsgi.CallbackApp``, without a framework."""
