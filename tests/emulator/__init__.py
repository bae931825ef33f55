"""The emulators: they are what other tests trust, so they are tested as a gateway would be."""
