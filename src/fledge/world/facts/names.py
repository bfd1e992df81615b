"""Names of the people and animals of the facts. Characters of the stories have first names of their own."""

from __future__ import annotations

from fledge.world.grammar import words

TOWN = "Larkmere"

WOMEN = words(
    "Agatha Beatrix Cecily Dorothea Edwina Florence Gwendolen Harriet Imogen Judith Katharine Lavinia Marjorie Nerys "
    "Ottilie Philippa Rosalind Sybil Tabitha Ursula Verity Winifred Yvonne Adela Bridget Constance Delphine Eleanor "
    "Francesca Georgina Hester Isobel Josephine Leonora Matilda Norma Olwen Prudence Rowena Selina Theodora Viola "
    "Wilhelmina Zelda Augusta"
)
MEN = words(
    "Ambrose Bertram Clement Desmond Edmund Fergus Gilbert Horace Ivor Jasper Kenneth Lionel Mortimer Nigel Osbert "
    "Percival Quentin Rupert Silas Thaddeus Ulric Vernon Walter Alaric Barnaby Conrad Dexter Ernest Frederick Godfrey "
    "Humphrey Ignatius Jerome Leopold Magnus Norbert Orlando Phineas Roderick Stanley Theodore Valentine Wilfred "
    "Cuthbert Alfred"
)
FAMILIES = words(
    "Ashworth Bramley Calloway Dunmore Eastwick Fairfax Garrick Hollin Ingram Jessop Kirkham Langley Merriman Norwood "
    "Oakden Pemberton Quill Ravenscroft Selwyn Thorne Underhill Vickery Wainwright Yarrow Aldridge Blackwood Chadwick "
    "Delaney Ellery Fenwick Goodwin Hathaway Ibbotson Kendrick Lockhart Marlow Nettleton Ormond Prescott Radcliffe "
    "Sheldon Tremaine Upton Vaughan Whitlock Yardley Atherton Bellamy Crawford Dalton Emerson Farrow Gresham Harcourt "
    "Jarrow Kingsley Lovell Mayhew Neville Osgood"
)
PETS = words(
    "Pepper Biscuit Bramble Clover Domino Fidget Ginger Heather Juniper Marble Nutmeg Olive Pickle Rusty Saffron "
    "Truffle Velvet Whisper Ziggy Acorn Button Cobweb Dandelion Echo Falcon Gizmo Hobnob Inky Jellybean Kipper "
    "Lupin Mischief Noodle Onyx Pebble Quaver Rascal Smudge Toffee Waffle"
)
