"""From finished units to tables: their metrics, intervals, break-even densities, removal curves."""
