"""Pictures of what the equations do: of cells as they begin, and of trained runs. `hred draw` makes them.

A file measures one thing and draws it; matplotlib is imported where something is drawn.
"""
