"""What hosts and provider authors test with: emulators of the gateways and what drives them."""
