"""The small public modules: errors, events, rasterizer."""
