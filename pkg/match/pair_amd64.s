//go:build !purego

#include "textflag.h"

// func indexPairAVX2(first, second *byte, n int, a, b byte) int
// Compares 32 places at a time. n is at least 32; the last block overlaps the one before it.
TEXT ·indexPairAVX2(SB), NOSPLIT, $0-40
	MOVQ first+0(FP), SI
	MOVQ second+8(FP), DI
	MOVQ n+16(FP), CX
	VPBROADCASTB a+24(FP), Y0
	VPBROADCASTB b+25(FP), Y1
	XORQ AX, AX             // the place
	LEAQ -32(CX), DX        // the last block
	LEAQ -64(CX), R8        // the last pair of blocks

pairs:
	CMPQ AX, R8
	JGT  blocks
	VPCMPEQB (SI)(AX*1), Y0, Y2
	VPCMPEQB (DI)(AX*1), Y1, Y3
	VPCMPEQB 32(SI)(AX*1), Y0, Y4
	VPCMPEQB 32(DI)(AX*1), Y1, Y5
	VPAND    Y2, Y3, Y2
	VPAND    Y4, Y5, Y4
	VPOR     Y2, Y4, Y3
	VPTEST   Y3, Y3
	JNZ      inPair
	ADDQ     $64, AX
	JMP      pairs

inPair:
	VPMOVMSKB Y2, BX
	TESTL     BX, BX
	JNZ       found
	ADDQ      $32, AX
	VPMOVMSKB Y4, BX
	JMP       found

blocks:
	CMPQ AX, CX
	JGE  none
	CMPQ AX, DX
	CMOVQGT DX, AX
	VPCMPEQB (SI)(AX*1), Y0, Y2
	VPCMPEQB (DI)(AX*1), Y1, Y3
	VPAND    Y2, Y3, Y2
	VPMOVMSKB Y2, BX
	TESTL    BX, BX
	JNZ      found
	ADDQ     $32, AX
	JMP      blocks

found:
	BSFL BX, BX
	ADDQ BX, AX
	VZEROUPPER
	MOVQ AX, ret+32(FP)
	RET

none:
	VZEROUPPER
	MOVQ $-1, ret+32(FP)
	RET
