; SPDX-License-Identifier: LGPL-2.1-or-later
; Option ROM in the VGA BIOS's slot. The BIOS calls it early; it never returns but enters, in long
; mode, the Linux kernel that Bochs copied into memory (harness/ram.py lays the image out). It must
; never write to memory before all of the image has been touched.
;
; Bochs 2.7 gives the machine's memory out in blocks of 128 KB, in the order in which they are first
; touched, from one linear buffer; its optramimage option copies the whole file into that buffer
; behind block 0 of the image. So the file is where it belongs only if the next blocks that anybody
; touches are the image's, in order. The BIOS has touched a few blocks by now, which took the place
; of the first padding blocks: so touch on until the last padding block turns up, then the kernel's,
; then the initramfs's, in order.

IMAGE		equ 0x200000		; IMAGE_ADDR of ram.py, and its offsets:
PAGE_TABLES	equ 0x2000
BOOT_PARAMS	equ 0x8000
BLOCK		equ 0x20000
MAX_PADS	equ 64

H_PADS		equ 8			; header: padding blocks, entry point,
H_ENTRY		equ 12
H_REGIONS	equ 16			; then two regions of (address, blocks)
NR_REGIONS	equ 2

ROM		equ 0xc0000
ROM_SIZE	equ 1024
COM1		equ 0x3f8

CODE32		equ 0x08		; selectors
DATA		equ 0x10
CODE64		equ 0x18

	bits 16
	org 0
	db 0x55, 0xaa, ROM_SIZE / 512
	jmp short start
	times 0x20 - ($ - $$) db 0	; the BIOS reads pointers from the ROM's first bytes

start:
	cli
	in al, 0x92			; address line 20 on
	or al, 2
	and al, 0xfe
	out 0x92, al
	mov ax, cs
	mov ds, ax
	lgdt [gdt_pointer]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp dword CODE32:ROM + protected

	bits 32
protected:
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov esi, IMAGE
	mov al, 'H'			; what is wrong, should it go wrong
	cmp dword [esi], 'DUNE'
	jne fail
	cmp dword [esi + 4], 'BOOT'
	jne fail

	mov ecx, MAX_PADS
	mov ebp, [esi + H_PADS]
	dec ebp
	mov edi, esi
	mov al, 'P'
.pad:
	dec ecx
	jz fail
	add edi, BLOCK
	cmp dword [edi], 'DPAD'
	jne fail
	cmp [edi + 4], ebp
	jne .pad

	mov ecx, NR_REGIONS
	lea ebx, [esi + H_REGIONS]
.region:
	mov edi, [ebx]
	mov edx, [ebx + 4]
.touch:
	mov eax, [edi]
	add edi, BLOCK
	dec edx
	jnz .touch
	add ebx, 8
	loop .region

	mov eax, IMAGE + PAGE_TABLES
	mov cr3, eax
	mov eax, cr4
	or eax, 1 << 5			; CR4.PAE
	mov cr4, eax
	mov ecx, 0xc0000080		; EFER.LME
	rdmsr
	or eax, 1 << 8
	wrmsr
	mov eax, cr0
	or eax, 1 << 31			; CR0.PG
	mov cr0, eax
	mov edi, [esi + H_ENTRY]
	jmp CODE64:ROM + long_mode

fail:	mov dx, COM1			; the letter ends up in the case's log
	out dx, al
	mov al, 10
	out dx, al
.stop:	hlt
	jmp .stop

	bits 64
long_mode:
	mov esi, IMAGE + BOOT_PARAMS	; what the 64-bit boot protocol wants: RSI = boot_params
	mov eax, edi
	xor edi, edi
	xor ebp, ebp
	xor ebx, ebx
	jmp rax

	align 8
gdt:	dq 0
	dq 0x00cf9b000000ffff		; CODE32
	dq 0x00cf93000000ffff		; DATA
	dq 0x00af9b000000ffff		; CODE64
gdt_pointer:
	dw gdt_pointer - gdt - 1
	dd ROM + gdt

	times ROM_SIZE - ($ - $$) db 0	; the last byte becomes the checksum
