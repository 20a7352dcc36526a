"""A menu of the models that serve. They may change while pages are open, so what a page sends is looked up later."""

from abc import ABCMeta
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta

from app.shipped import for_language

__all__ = ["chosen", "follow", "model_menu"]

_MOST = 64
_DEFAULT_LANGUAGE = "en"


def _names_alone(_: gr.Dropdown, payload: Any) -> Any:
    """Returns the names that were chosen: one, or a list; what is no name is left out."""
    if isinstance(payload, list):
        return list(dict.fromkeys(each for each in payload if isinstance(each, str)))[:_MOST]
    return payload if isinstance(payload, str) else None


# Not by a `class` statement, at which Gradio writes a .pyi file beside the module. As a template, it is drawn as what
# it is derived from.
_ModelMenu: Any = ABCMeta.__new__(
    ComponentMeta,
    "ModelMenu",
    (gr.Dropdown,),
    {
        "__module__": __name__,
        "__doc__": "A Dropdown that lets any name through: who answers says if there is no such model.",
        "is_template": True,
        "preprocess": _names_alone,
        "_warn_if_invalid_choice": lambda menu, value: None,  # it may have been unloaded
    },
)


def model_menu(names: Sequence[str], **options: Any) -> gr.Dropdown:
    """Returns a menu of models, of several at once with `multiselect`.

    Chosen are those of the default language; the chat and the comparison tell a page those of its reader's.

    Args:
        names: of the models that serve.
        options: as of `gr.Dropdown`.
    """
    value = chosen(names, _DEFAULT_LANGUAGE, bool(options.get("multiselect")))
    menu: gr.Dropdown = _ModelMenu(list(names), value=value, **options)
    return menu


def follow(page: gr.Blocks, menus: Sequence[gr.Dropdown], names: Callable[[], list[str]]) -> None:
    """Makes pages that are opened from now on have today's names in their menus.

    Args:
        page: the Blocks, finished.
        menus: of it.
        names: returns the names of the models that serve.
    """
    now = names()
    for menu in menus:
        menu.choices = [(name, name) for name in now]
        menu.value = chosen(now, _DEFAULT_LANGUAGE, bool(menu.multiselect))
    page.config = page.get_config_file()


def chosen(names: Sequence[str], language: str, is_several: bool) -> str | list[str]:
    """Returns the model to talk to in a language, or all of them for a menu of several.

    Where fewer speak it than are needed, one or two to compare, those of all languages are taken.
    """
    fitting = for_language(names, language, at_least=2 if is_several else 1)
    return fitting if is_several else _first_of(fitting)


def _first_of(names: Sequence[str]) -> str:
    """Returns the model that a new page chats with: HRED, or the first."""
    return next((name for name in names if name.partition("-")[0] == "hred"), names[0])
