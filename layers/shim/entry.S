/*
 * Functions that cannot be wrapped in C.
 *
 *   vfork    returns twice on one stack: the child runs first and overwrites what lies below the caller's frame, so the
 *            return address waits in a register during the call (as in libc's own).
 *   syscall  passes most calls straight on. It must leave no frame: a clone() made through it returns on another stack.
 *   dlopen   acts on behalf of its caller, which it finds by its return address; so ours jumps to it.
 */
#if defined(__x86_64__)

    .text
    .globl vfork
    .type vfork, @function
vfork:
    sub $8, %rsp
    call vfork_begin
    add $8, %rsp
    pop %rdi
    mov $58, %eax
    syscall
    push %rdi
    mov %rax, %rdi
    sub $8, %rsp
    call vfork_end
    add $8, %rsp
    ret
    .size vfork, . - vfork

    .globl syscall
    .type syscall, @function
syscall:
    cmp $512, %rdi
    jae 1f
    lea hooked_calls(%rip), %rax
    cmpb $0, (%rax, %rdi)
    jne call_hooked
1:  mov real_syscall(%rip), %rax
    test %rax, %rax
    jz call_hooked
    jmp *%rax
    .size syscall, . - syscall

    .globl dlopen
    .type dlopen, @function
dlopen:
    push %rdi
    push %rsi
    sub $8, %rsp
    call note_dlopen
    add $8, %rsp
    pop %rsi
    pop %rdi
    jmp *%rax
    .size dlopen, . - dlopen

#elif defined(__aarch64__)

    .text
    .globl vfork
    .type vfork, %function
vfork:
    stp x29, x30, [sp, -16]!
    bl vfork_begin
    ldp x29, x30, [sp], 16
    mov x8, #220                /* clone */
    mov x0, #0x4111             /* CLONE_VFORK | CLONE_VM | SIGCHLD */
    mov x1, #0
    mov x2, #0
    mov x3, #0
    mov x4, #0
    svc 0
    stp x29, x30, [sp, -16]!
    bl vfork_end
    ldp x29, x30, [sp], 16
    ret
    .size vfork, . - vfork

    .globl syscall
    .type syscall, %function
syscall:
    cmp x0, #512
    b.hs 1f
    adrp x9, hooked_calls
    add x9, x9, :lo12:hooked_calls
    ldrb w9, [x9, x0]
    cbnz w9, 2f
1:  adrp x9, real_syscall
    ldr x9, [x9, :lo12:real_syscall]
    cbz x9, 2f
    br x9
2:  b call_hooked
    .size syscall, . - syscall

    .globl dlopen
    .type dlopen, %function
dlopen:
    stp x29, x30, [sp, -32]!
    stp x0, x1, [sp, 16]
    bl note_dlopen
    mov x9, x0
    ldp x0, x1, [sp, 16]
    ldp x29, x30, [sp], 32
    br x9
    .size dlopen, . - dlopen

#endif
    .section .note.GNU-stack, "", %progbits
