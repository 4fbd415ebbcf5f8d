"""Words that the tables of the vocabulary hold one level down."""

from taxo.editor.words import options_of, tables

# What options take; a parameter may stand for one, so these stand anywhere that a number does.
OPTION_WORDS = {
    word
    for rows in tables().values()
    for row in rows.values()
    for option in options_of(row).values()
    for word in option.words
}
