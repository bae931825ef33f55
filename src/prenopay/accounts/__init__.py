"""All accounts of one process: callbacks are received, events delivered, and what is due is done."""
