"""Tests of what gateways are sent and how their answers are read, over a scripted send."""
