/**
 * What libc opens on its own account inside a function with another purpose (setlocale, getaddrinfo, getpwnam, localtime,
 * iconv, pthread_getattr_np): its internal calls go through no symbol that could be replaced. A program that opens such a
 * file itself is reported; the trace does not tell the two apart, so neither is asked for.
 */
const LIBC_READS = [
  /^\/usr\/lib\/locale\//,
  /^\/usr\/share\/locale\//,
  /^\/usr\/share\/locale-langpack\//,
  /^\/usr\/lib\/[^/]*\/gconv\//,
  /^\/usr\/share\/zoneinfo\//,
  /^\/etc\/(nsswitch\.conf|host\.conf|resolv\.conf|hosts|gai\.conf|services|protocols|passwd|group|localtime|locale\.alias)$/,
  /^\/proc\/self\/maps$/,
  /^\/proc\/(stat|meminfo|cpuinfo)$/,
  /^\/sys\/devices\/system\/cpu\/(online|possible)$/,
  /^\/sys\/fs\/cgroup\//,
  /^\/proc\/self\/fd$/,
  /^\/proc\/sys\/vm\/overcommit_memory$/,
];

/** Libraries of these are part of the program; the shim says nothing of them, or (dlopen of a path) more than it must. */
const SYSTEM = /^\/(usr|lib[^/]*|opt|var\/(task|lang|runtime))\//;
export const optionalLibrary = (path: string) => SYSTEM.test(path) || path === '/etc/ld.so.cache';

export const optionalRead = (path: string) => LIBC_READS.some((pattern) => pattern.test(path));
