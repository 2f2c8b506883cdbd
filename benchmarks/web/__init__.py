"""Measures the web edge: python -m benchmarks.web"""
