# Which program links what. This is the privilege map: a program can do only
# what its libraries can. Read by the Makefile and checked by tests/structure.
#
#   LIB_<library>  := the libraries it builds on, itself excluded
#   PKG_<library>  := its Debian libraries, by pkg-config name
#   PROG_<program> := the libraries it links
#
# A library is a folder src/<library>; a program is a folder src/<program>.

LIBRARIES := base sys wire conf

LIB_base :=
LIB_sys  := base
LIB_wire := base
LIB_conf := base sys
