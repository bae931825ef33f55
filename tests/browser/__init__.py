"""The showcase shop and the emulated gateway, driven by a real Chromium over real sockets."""
