/**
 * System calls that fail with EPERM inside an instance, with their numbers. Source of the numbers: the kernel's
 * arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (used by arm64).
 *
 * The set is what third parties report as blocked on Lambda (ptrace, seccomp, namespaces) plus what no capability-less Lambda
 * process could do with success anyway. It is a model of Lambda's limits, not a security boundary of its own.
 */
export interface SyscallNumbers {
  /** AUDIT_ARCH_* of linux/audit.h, as seccomp reports it. */
  readonly auditArch: number;
  readonly clone: number;
  readonly clone3: number;
  readonly prctl: number;
  readonly denied: Readonly<Record<string, number>>;
}

const COMMON = {
  pidfd_getfd: 438,
  process_madvise: 440,
  process_mrelease: 448,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  mount_setattr: 442,
} as const;

const X86_64: SyscallNumbers = {
  auditArch: 0xc000003e,
  clone: 56,
  clone3: 435,
  prctl: 157,
  denied: {
    ...COMMON,
    ptrace: 101,
    syslog: 103,
    vhangup: 153,
    pivot_root: 155,
    adjtimex: 159,
    chroot: 161,
    acct: 163,
    settimeofday: 164,
    mount: 165,
    umount2: 166,
    swapon: 167,
    swapoff: 168,
    reboot: 169,
    iopl: 172,
    ioperm: 173,
    init_module: 175,
    delete_module: 176,
    quotactl: 179,
    lookup_dcookie: 212,
    clock_settime: 227,
    kexec_load: 246,
    add_key: 248,
    request_key: 249,
    keyctl: 250,
    migrate_pages: 256,
    unshare: 272,
    move_pages: 279,
    perf_event_open: 298,
    fanotify_init: 300,
    name_to_handle_at: 303,
    open_by_handle_at: 304,
    clock_adjtime: 305,
    setns: 308,
    process_vm_readv: 310,
    process_vm_writev: 311,
    kcmp: 312,
    finit_module: 313,
    seccomp: 317,
    kexec_file_load: 320,
    bpf: 321,
    userfaultfd: 323,
  },
};

const AARCH64: SyscallNumbers = {
  auditArch: 0xc00000b7,
  clone: 220,
  clone3: 435,
  prctl: 167,
  denied: {
    ...COMMON,
    ptrace: 117,
    syslog: 116,
    vhangup: 58,
    pivot_root: 41,
    adjtimex: 171,
    chroot: 51,
    acct: 89,
    settimeofday: 170,
    mount: 40,
    umount2: 39,
    swapon: 224,
    swapoff: 225,
    reboot: 142,
    init_module: 105,
    delete_module: 106,
    quotactl: 60,
    lookup_dcookie: 18,
    clock_settime: 112,
    kexec_load: 104,
    add_key: 217,
    request_key: 218,
    keyctl: 219,
    migrate_pages: 238,
    unshare: 97,
    move_pages: 239,
    perf_event_open: 241,
    fanotify_init: 262,
    name_to_handle_at: 264,
    open_by_handle_at: 265,
    clock_adjtime: 266,
    setns: 268,
    process_vm_readv: 270,
    process_vm_writev: 271,
    kcmp: 272,
    finit_module: 273,
    seccomp: 277,
    kexec_file_load: 294,
    bpf: 280,
    userfaultfd: 282,
  },
};

/** Numbers for `process.arch`. Throws when the machine is neither x64 nor arm64. */
export function syscallsOf(arch: string): SyscallNumbers {
  if (arch === 'x64') return X86_64;
  if (arch === 'arm64') return AARCH64;
  throw new Error(`No system call table for CPU "${arch}": the local engine runs on x64 and arm64.`);
}
