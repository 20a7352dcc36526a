"""The faces of `dialog`: the command `hred`, the session store and the web page."""
