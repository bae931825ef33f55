"""Swish's parts on their own: phones, texts, certificate requests."""
