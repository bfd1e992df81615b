"""Names of the people and animals of the facts. Characters of the stories have first names of their own."""

from __future__ import annotations

TOWN = "Larkmere"

WOMEN = tuple(
    "Agatha Beatrix Cecily Dorothea Edith Florence Gwendolen Harriet Imogen Judith Katharine Lavinia Marjorie Nerys "
    "Ottilie Philippa Rosalind Sybil Tabitha Ursula Verity Winifred Yvonne Adela Bridget Constance Delphine Eleanor "
    "Francesca Georgina Hester Isobel Josephine Leonora Matilda Norma Olwen Prudence Rowena Selina Theodora Viola "
    "Wilhelmina Zelda Augusta".split()
)
MEN = tuple(
    "Ambrose Bertram Clement Desmond Edmund Fergus Gilbert Horace Ivor Jasper Kenneth Lionel Mortimer Nigel Osbert "
    "Percival Quentin Rupert Silas Thaddeus Ulric Vernon Walter Alaric Barnaby Conrad Dexter Ernest Frederick Godfrey "
    "Humphrey Isaac Jerome Leopold Magnus Norbert Orlando Phineas Roderick Stanley Theodore Victor Wilfred Cuthbert "
    "Alfred".split()
)
FAMILIES = tuple(
    "Ashworth Bramley Calloway Dunmore Eastwick Fairfax Garrick Hollin Ingram Jessop Kirkham Langley Merriman Norwood "
    "Oakden Pemberton Quill Ravenscroft Selwyn Thorne Underhill Vickery Wainwright Yarrow Aldridge Blackwood Chadwick "
    "Delaney Ellery Fenwick Goodwin Hathaway Ibbotson Kendrick Lockhart Marlow Nettleton Ormond Prescott Radcliffe "
    "Sheldon Tremaine Upton Vaughan Whitlock Yardley Atherton Bellamy Crawford Dalton Emerson Farrow Gresham Harcourt "
    "Jarrow Kingsley Lovell Mayhew Neville Osgood".split()
)
PETS = tuple(
    "Pepper Biscuit Bramble Clover Domino Fidget Ginger Hazel Juniper Marble Nutmeg Oscar Pickle Rusty Saffron Truffle "
    "Velvet Whisper Ziggy Acorn Button Cobweb Dandelion Echo Falcon Gizmo Hobnob Inky Jellybean Kipper Lupin Mischief "
    "Noodle Otto Pebble Quaver Rascal Smudge Toffee Waffle".split()
)
