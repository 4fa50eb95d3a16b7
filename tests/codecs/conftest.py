"""How long an example takes says how busy the machine is, and nothing about the codec."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
