/* What Lua expects of a system and WASI has not. */
#include <stdlib.h>
#include <stdio.h>
#define LUAI_THROW(L, c) abort()
#define LUAI_TRY(L, c, a) { a }
#define luai_jmpbuf int
#define L_tmpnam 20
#define tmpnam(name) ((char *)0)
#define tmpfile() ((FILE *)0)
#define system(command) (-1)
