"""Processes that buy, take, give back and draw at the same moment, and are killed, frozen and set to wrong times."""
