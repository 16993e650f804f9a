"""Sensors: how they see the ground (PSF, spectral response, noise), and pairs simulated so."""
