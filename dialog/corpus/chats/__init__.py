"""Exports of chat programs: a reader a format gives single messages, `cutting` makes conversations of them."""
