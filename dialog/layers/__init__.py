"""One equation of a paper each; tensors in, tensors out.

Shapes are written (row, time, size). A *packed* tensor (token, size) holds the real positions of rows of
unequal lengths and nothing else; `packing.Packing` says which position is which.
"""
