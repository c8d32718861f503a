/** Builds the seccomp program that bubblewrap installs in every instance: classic BPF over struct seccomp_data. */
import { type SyscallNumbers, syscallsOf } from './syscalls.ts';

// linux/bpf_common.h and linux/seccomp.h
const LD_W_ABS = 0x20;
const JMP_JEQ_K = 0x15;
const JMP_JGE_K = 0x35;
const JMP_JSET_K = 0x45;
const RET_K = 0x06;
const RET_ALLOW = 0x7fff0000;
const RET_ERRNO = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;
// Offsets in struct seccomp_data; arguments are 64 bits wide, of which the low word (little endian) comes first.
const OFFSET_NR = 0;
const OFFSET_ARCH = 4;
const OFFSET_ARG0 = 16;

const X32_BIT = 0x40000000;
const PR_SET_SECCOMP = 22;
/** CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} of linux/sched.h. */
const CLONE_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

const load = (offset: number): Instruction => [LD_W_ABS, 0, 0, offset];
const ret = (k: number): Instruction => [RET_K, 0, 0, k];
const errno = (value: number): Instruction => ret(RET_ERRNO | value);
/** Runs the next instruction when the accumulator equals `k`, otherwise skips `otherwise` instructions. */
const ifEqual = (k: number, otherwise: number): Instruction => [JMP_JEQ_K, 0, otherwise, k];

/** What strace needs and Lambda denies. */
const TRACING = new Set(['ptrace', 'seccomp', 'process_vm_readv']);

/**
 * The program as an array of struct sock_filter (8 bytes each, little endian). `arch` as in `process.arch`. `traceable`: allows
 * what strace needs, see LambdaOptions.
 */
export function lambdaSeccompProgram(arch: string = process.arch, traceable = false): Buffer {
  return encode(instructions(syscallsOf(arch), traceable));
}

function instructions(calls: SyscallNumbers, traceable: boolean): Instruction[] {
  const program: Instruction[] = [
    load(OFFSET_ARCH),
    [JMP_JEQ_K, 1, 0, calls.auditArch],
    // A program for another instruction set would have other numbers: let none of its calls through.
    errno(EPERM),
    load(OFFSET_NR),
    [JMP_JGE_K, 0, 1, X32_BIT],
    errno(ENOSYS),
    // clone3 keeps its flags in memory where a filter cannot look. ENOSYS makes libc fall back to clone.
    ifEqual(calls.clone3, 1),
    errno(ENOSYS),
    ifEqual(calls.clone, 4),
    load(OFFSET_ARG0),
    [JMP_JSET_K, 0, 1, CLONE_NAMESPACES],
    errno(EPERM),
    ret(RET_ALLOW),
    ifEqual(calls.prctl, 4),
    load(OFFSET_ARG0),
    ifEqual(PR_SET_SECCOMP, 1),
    traceable ? ret(RET_ALLOW) : errno(EPERM),
    ret(RET_ALLOW),
  ];
  for (const [name, number] of Object.entries(calls.denied)) {
    if (!traceable || !TRACING.has(name)) program.push(ifEqual(number, 1), errno(EPERM));
  }
  program.push(ret(RET_ALLOW));
  return program;
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, jumpTrue, jumpFalse, k], i) => {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(jumpTrue, i * 8 + 2);
    bytes.writeUInt8(jumpFalse, i * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, i * 8 + 4);
  });
  return bytes;
}
