// GNU libmicrohttpd's C interface, and what Swift cannot import of it: variadic calls.
#ifndef TROUPE_CMICROHTTPD_SHIM_H
#define TROUPE_CMICROHTTPD_SHIM_H

#include <microhttpd.h>

#endif
