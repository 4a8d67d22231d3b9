// Writes the vectors of this folder's parent from implementations that share no code with the library. See ../README.md.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/torchwood"
	jcs "github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	formats "github.com/transparency-dev/formats/log"
	cosignature "github.com/transparency-dev/formats/note"
	tlogproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const leaves = 70_000

// Fixed, so that a second run writes the same but for the times of cosignatures.
var random = rand.New(rand.NewPCG(6, 962))

func main() {
	log := newLog()
	write("trees.json", trees(log))
	write("proofs.json", proofs(log))
	write("notes.json", notes(log))
	write("canonical-json.json", canonical())
}

func write(name string, value any) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	check(encoder.Encode(value))
	check(os.WriteFile(filepath.Join("..", name), buffer.Bytes(), 0o644))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

// A log whose entry 0 is empty, and whose entry n is the text "entry n".
type testLog struct{ hashes []tlog.Hash }

func entry(index int64) []byte {
	if index == 0 {
		return nil
	}
	return fmt.Appendf(nil, "entry %d", index)
}

func newLog() *testLog {
	log := &testLog{}
	for index := int64(0); index < leaves; index++ {
		log.hashes = append(log.hashes, must(tlog.StoredHashes(index, entry(index), log))...)
	}
	return log
}

func (log *testLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for at, index := range indexes {
		hashes[at] = log.hashes[index]
	}
	return hashes, nil
}

func (log *testLog) root(size int64) tlog.Hash { return must(tlog.TreeHash(size, log)) }

type tree struct {
	Size int64  `json:"size"`
	Root string `json:"root"`
	// SHA-256 of what stands under each path.
	Tiles map[string]string `json:"tiles"`
}

// Tiles by x/mod's tlog, bundles and paths by torchwood.
func trees(log *testLog) []tree {
	sizes := []int64{0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, leaves}
	var all []tree
	for _, size := range sizes {
		tiles := map[string]string{}
		for _, tile := range tlog.NewTiles(torchwood.TileHeight, 0, size) {
			content := must(tlog.ReadTileData(tile, log))
			tiles[torchwood.TilePath(tile)] = digest(content)
			if tile.L == 0 {
				tile.L = -1
				tiles[torchwood.TilePath(tile)] = digest(bundle(tile))
			}
		}
		all = append(all, tree{size, log.root(size).String(), tiles})
	}
	return all
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func bundle(tile tlog.Tile) (content []byte) {
	first := tile.N * torchwood.TileWidth
	for index := first; index < first+int64(tile.W); index++ {
		content = must(torchwood.AppendTileEntry(content, entry(index)))
	}
	return content
}

type proofVector struct {
	Size    int64    `json:"size"`
	Root    string   `json:"root"`
	Index   *int64   `json:"index,omitempty"`
	OldSize *int64   `json:"oldSize,omitempty"`
	OldRoot string   `json:"oldRoot,omitempty"`
	Proof   []string `json:"proof"`
}

// Proofs by x/mod's tlog, each verified by transparency-dev/merkle as well.
func proofs(log *testLog) []proofVector {
	var all []proofVector
	for range 120 {
		size := randomSize()
		index := random.Int64N(size)
		root := log.root(size)
		hashes := must(tlog.ProveRecord(size, index, log))
		leaf := tlog.RecordHash(entry(index))
		check(proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), uint64(size), leaf[:], raw(hashes), root[:]))
		all = append(all, proofVector{Size: size, Root: root.String(), Index: &index, Proof: texts(hashes)})
	}
	for range 120 {
		size := randomSize()
		old := 1 + random.Int64N(size)
		root, oldRoot := log.root(size), log.root(old)
		hashes := must(tlog.ProveTree(size, old, log))
		check(proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old), uint64(size), raw(hashes), oldRoot[:], root[:]))
		all = append(all, proofVector{
			Size: size, Root: root.String(), OldSize: &old, OldRoot: oldRoot.String(), Proof: texts(hashes),
		})
	}
	return all
}

// As many small trees as large ones.
func randomSize() int64 { return 1 + random.Int64N(1<<random.Int64N(17)) }

func raw(hashes []tlog.Hash) (all [][]byte) {
	for _, hash := range hashes {
		all = append(all, hash[:])
	}
	return all
}

func texts(hashes []tlog.Hash) []string {
	all := []string{}
	for _, hash := range hashes {
		all = append(all, hash.String())
	}
	return all
}

type noteVectors struct {
	LogKey          string        `json:"logKey"`
	LogVerifier     string        `json:"logVerifier"`
	WitnessKey      string        `json:"witnessKey"`
	WitnessVerifier string        `json:"witnessVerifier"`
	Checkpoints     []checkpoint  `json:"checkpoints"`
	Changed         []changedNote `json:"changed"`
}

type checkpoint struct {
	Size      int64  `json:"size"`
	Root      string `json:"root"`
	Extension string `json:"extension"`
	Text      string `json:"text"`
	// By x/mod's note.
	Signed string `json:"signed"`
	// Cosigned by torchwood, and by transparency-dev/formats.
	Cosigned []string `json:"cosigned"`
	// The entry that the proof file is of, and the file, which torchwood and formats agree about.
	Index     int64  `json:"index"`
	ProofFile string `json:"proofFile"`
	Extra     string `json:"extra"`
}

type changedNote struct {
	Note    string `json:"note"`
	Outcome string `json:"outcome"`
}

const origin = "example.com/log"

func notes(log *testLog) noteVectors {
	logKey, logVerifier := keyPair(origin, 1, 1)
	witnessKey, witnessVerifier := keyPair("witness.example/w1", 2, 4)
	signer := must(note.NewSigner(logKey))
	vectors := noteVectors{logKey, logVerifier, witnessKey, witnessVerifier, nil, nil}
	for at, size := range []int64{0, 1, 300, leaves} {
		extension := strings.Repeat("an extension — ünïcode\n", at%2)
		text := torchwood.Checkpoint{Origin: origin, Tree: tlog.Tree{N: size, Hash: log.root(size)}, Extension: extension}.String()
		if plain := string(formats.Checkpoint{Origin: origin, Size: uint64(size), Hash: raw([]tlog.Hash{log.root(size)})[0]}.Marshal()); plain+extension != text {
			panic("torchwood and formats write different checkpoints")
		}
		signed := must(note.Sign(&note.Note{Text: text}, signer))
		one := checkpoint{Size: size, Root: log.root(size).String(), Extension: extension, Text: text, Signed: string(signed)}
		one.Cosigned = cosign(signed, logVerifier)
		if size > 0 {
			one.addProof(log, signed)
		}
		vectors.Checkpoints = append(vectors.Checkpoints, one)
	}
	vectors.Changed = changed(vectors.Checkpoints[2].Cosigned[0], logVerifier, witnessVerifier)
	return vectors
}

// A signer and a verifier key of a fixed seed.
func keyPair(name string, seed byte, algorithm byte) (string, string) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	public := append([]byte{algorithm}, private.Public().(ed25519.PublicKey)...)
	id := sha256.Sum256(append([]byte(name+"\n"), public...))
	secret := append([]byte{algorithm}, private.Seed()...)
	encoded := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("PRIVATE+KEY+%s+%x+%s", name, id[:4], encoded(secret)),
		fmt.Sprintf("%s+%x+%s", name, id[:4], encoded(public))
}

func cosign(signed []byte, logVerifier string) []string {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	first := must(torchwood.NewCosignatureSigner("witness.example/w1", private))
	// This one takes a key of notes, and makes that of cosignatures of it.
	plain, _ := keyPair("witness.example/w1", 2, 1)
	second := must(cosignature.NewSignerForCosignatureV1(plain))
	if first.KeyHash() != second.KeyHash() {
		panic("torchwood and formats disagree about the id of a key")
	}
	opened := must(note.Open(signed, note.VerifierList(must(note.NewVerifier(logVerifier)))))
	return []string{
		string(must(note.Sign(opened, first))),
		string(must(note.Sign(opened, second))),
	}
}

func (one *checkpoint) addProof(log *testLog, signed []byte) {
	one.Index = random.Int64N(one.Size)
	hashes := must(tlog.ProveRecord(one.Size, one.Index, log))
	file := torchwood.FormatProof(one.Index, hashes, signed)
	other := tlogproof.TLogProof{Index: uint64(one.Index), Checkpoint: signed}
	for _, hash := range hashes {
		other.Hashes = append(other.Hashes, hash)
	}
	if one.Size > 300 {
		extra := []byte("extra data \x00\xff")
		one.Extra = base64.StdEncoding.EncodeToString(extra)
		file = torchwood.FormatProofWithExtraData(one.Index, extra, hashes, signed)
		other.ExtraData = extra
	}
	if !bytes.Equal(file, other.Marshal()) {
		panic("torchwood and formats write different proof files")
	}
	one.ProofFile = string(file)
}

// A note changed at random, and what x/mod's note makes of it. Only those that are UTF-8, which JSON can hold.
func changed(original, logVerifier, witnessVerifier string) (all []changedNote) {
	known := note.VerifierList(must(note.NewVerifier(logVerifier)), must(torchwood.NewCosignatureVerifier(witnessVerifier)))
	pieces := []string{"\n", "\n\n", " ", "—", "— ", "=", "+", "A", "/", "\t", "0", "é", origin}
	for len(all) < 400 {
		text := []byte(original)
		for range 1 + random.IntN(2) {
			at := random.IntN(len(text))
			end := min(len(text), at+random.IntN(4))
			piece := pieces[random.IntN(len(pieces))]
			text = append(text[:at:at], append([]byte(piece), text[end:]...)...)
		}
		outcome := outcomeOf(text, known)
		if strings.ToValidUTF8(string(text), "") == string(text) {
			all = append(all, changedNote{string(text), outcome})
		}
	}
	return all
}

func outcomeOf(text []byte, known note.Verifiers) string {
	_, err := note.Open(text, known)
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case err == nil:
		return "opened"
	case errors.As(err, &invalid):
		return "bad_signature"
	case errors.As(err, &unverified):
		return "unsigned"
	default:
		return "malformed_note"
	}
}

type canonicalVector struct {
	Input  string `json:"input"`
	Output string `json:"output"`
}

// What cyberphone's canonicalizer makes of its own test files, of random doubles and of random values.
func canonical() (all []canonicalVector) {
	inputs := must(filepath.Glob(filepath.Join(os.Args[1], "testdata", "input", "*.json")))
	if len(inputs) == 0 {
		panic("no test files in " + os.Args[1])
	}
	for _, file := range inputs {
		all = append(all, canonicalized(string(must(os.ReadFile(file)))))
	}
	for range 30 {
		var numbers []string
		for range 50 {
			numbers = append(numbers, randomNumber())
		}
		all = append(all, canonicalized("["+strings.Join(numbers, ",")+"]"))
	}
	for range 100 {
		all = append(all, canonicalized(string(must(json.Marshal(randomObject(4))))))
	}
	return all
}

func canonicalized(input string) canonicalVector {
	return canonicalVector{input, string(must(jcs.Transform([]byte(input))))}
}

// 17 digits name a double exactly.
func randomNumber() string {
	for {
		value := math.Float64frombits(random.Uint64())
		if random.IntN(2) == 0 {
			value = float64(random.Int64N(1<<60)) * math.Pow(10, float64(random.IntN(30)-20))
		}
		if !math.IsNaN(value) && !math.IsInf(value, 0) {
			return fmt.Sprintf("%.17g", value)
		}
	}
}

func randomObject(depth int) map[string]any {
	object := map[string]any{}
	for range random.IntN(6) {
		object[randomText()] = randomValue(depth - 1)
	}
	return object
}

func randomValue(depth int) any {
	switch kind := random.IntN(7); {
	case kind == 0:
		return nil
	case kind == 1:
		return random.IntN(2) == 0
	case kind == 2:
		return json.Number(randomNumber())
	case kind <= 4 || depth == 0:
		return randomText()
	case kind == 5:
		var array []any
		for range random.IntN(5) {
			array = append(array, randomValue(depth-1))
		}
		return append([]any{}, array...)
	default:
		return randomObject(depth)
	}
}

// ASCII with its control characters, Latin, the rest of the plane, and beyond it.
func randomText() string {
	var text strings.Builder
	for range random.IntN(8) {
		limits := []int32{0x80, 0x250, 0xd800, 0x1f640}
		letter := random.Int32N(limits[random.IntN(len(limits))])
		if letter < 0xd800 || letter > 0xdfff {
			text.WriteRune(letter)
		}
	}
	return text.String()
}
