"""Reply models: seq2seq with attention, HRED and VHRED, behind one set of promises (`base`)."""
