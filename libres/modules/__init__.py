"""Small public modules without a database: errors, events, rasterizer, utils."""
