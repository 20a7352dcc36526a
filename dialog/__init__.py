"""Reply models for conversations: seq2seq with attention, HRED and VHRED."""

__version__ = "0.1.0"
