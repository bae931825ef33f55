"""Tests of what the providers send and how they read the answers, over a scripted send."""
