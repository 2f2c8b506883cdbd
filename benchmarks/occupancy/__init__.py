"""Measures occupancy: python -m benchmarks.occupancy"""
