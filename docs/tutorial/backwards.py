"""Conversations in which the bot says the user's words backwards: what attention has to find is known."""

import random

WORDS = (
    "apple bread cheese dog egg fish goose hat ink jam king lamp moon nut owl pear queen rice sun tea".split()
)

draw = random.Random(1)
for _ in range(5000):
    said = draw.sample(WORDS, draw.randint(2, 6))
    print("User:", *said)
    print("Bot:", *reversed(said), end="\n\n")
