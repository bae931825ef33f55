"""Emulators that speak each gateway's wire: strict about what is sent, able to misbehave on request."""
