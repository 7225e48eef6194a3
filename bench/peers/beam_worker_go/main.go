// Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0

// The pipeline of build/bin/bench_worker's workers, in Go: elements are made, sent to the engine,
// taken, changed, sent, and taken once more.
//
//	worker --texts --elements=100000 --runner=universal --endpoint=HOST:PORT --environment_type=LOOPBACK
package main

import (
	"context"
	"flag"
	"log"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"
)

const seeds = 16

var (
	elements = flag.Int64("elements", seeds, "how many")
	texts    = flag.Bool("texts", false, "of 1000 bytes, instead of numbers")
)

type makeNumbers struct{ Each int64 }

func (f *makeNumbers) ProcessElement(seed int64, emit func(int64)) {
	for i := int64(0); i < f.Each; i++ {
		emit(seed*f.Each + i)
	}
}

type makeTexts struct{ Each int64 }

func (f *makeTexts) ProcessElement(seed int64, emit func(string)) {
	text := strings.Repeat("x", 1000)
	for i := int64(0); i < f.Each; i++ {
		emit(text)
	}
}

func flip(x int64, emit func(int64))      { emit(x ^ 1) }
func pass(text string, emit func(string)) { emit(text) }
func dropNumber(x int64)                  {}
func dropText(text string)                {}

func init() {
	register.DoFn2x0[int64, func(int64)](&makeNumbers{})
	register.DoFn2x0[int64, func(string)](&makeTexts{})
	register.Function2x0(flip)
	register.Function2x0(pass)
	register.Function1x0(dropNumber)
	register.Function1x0(dropText)
	register.Emitter1[int64]()
	register.Emitter1[string]()
}

func main() {
	flag.Parse()
	beam.Init()
	p, s := beam.NewPipelineWithRoot()
	list := make([]int64, seeds)
	for i := range list {
		list[i] = int64(i)
	}
	start := beam.Reshuffle(s, beam.CreateList(s, list))
	if *texts {
		made := beam.ParDo(s, &makeTexts{*elements / seeds}, start)
		passed := beam.ParDo(s, pass, beam.Reshuffle(s, made))
		beam.ParDo0(s, dropText, beam.Reshuffle(s, passed))
	} else {
		made := beam.ParDo(s, &makeNumbers{*elements / seeds}, start)
		flipped := beam.ParDo(s, flip, beam.Reshuffle(s, made))
		beam.ParDo0(s, dropNumber, beam.Reshuffle(s, flipped))
	}
	if err := beamx.Run(context.Background(), p); err != nil {
		log.Fatal(err)
	}
}
