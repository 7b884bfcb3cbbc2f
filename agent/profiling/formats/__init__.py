"""Profiles as other programs and people read them."""
