/* Found before there is any other: WASI of Debian 12 has no setjmp. An error of Lua ends the program. */
#include <stdlib.h>
typedef int jmp_buf;
