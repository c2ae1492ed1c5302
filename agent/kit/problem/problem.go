// Package problem gives the errors of the HTTP interfaces as RFC 9457 problem documents (application/problem+json), and the
// catalogue that turns stable codes into the sentences people read.
//
// Programs decide by code, people read title, detail and advice. A handler never writes a sentence itself:
//
//	problem.Write(w, catalog.Problem(http.StatusConflict, WindowClosed, map[string]string{"window": "3"}))
package problem

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
)

// ContentType is the media type of a problem document (RFC 9457 section 3).
const ContentType = "application/problem+json"

// typePrefix makes the type member from the code. A URN, because the halls have no Internet to look an address up in.
const typePrefix = "urn:halledge:problem:"

// Code is the stable name of a problem. Clients compare it; the messages file has its sentences.
type Code string

// Problem is one problem document. Extra holds further members of the object, such as the state of a ticket; the members of
// this struct win over an extra one of the same name.
type Problem struct {
	Status int
	Code   Code
	Title  string
	Detail string
	Advice string
	Staff  string // what staff are told instead of detail and advice; may be empty
	Extra  map[string]any
}

// Error makes a problem usable as an error inside the program. The sentence for people is Detail.
func (p Problem) Error() string { return fmt.Sprintf("%d %s", p.Status, p.Code) }

// ForStaff gives the problem as those who work here read it.
func (p Problem) ForStaff() Problem {
	if p.Staff != "" {
		p.Detail, p.Advice = p.Staff, ""
	}
	return p
}

// With gives a copy with one more member.
func (p Problem) With(member string, value any) Problem {
	extra := maps.Clone(p.Extra)
	if extra == nil {
		extra = map[string]any{}
	}
	extra[member] = value
	p.Extra = extra
	return p
}

// MarshalJSON writes the members of RFC 9457 (type, title, status, detail), code, advice and staff if there are any, and the extra
// ones, sorted by name: the same problem always gives the same bytes.
func (p Problem) MarshalJSON() ([]byte, error) {
	doc := maps.Clone(p.Extra)
	if doc == nil {
		doc = map[string]any{}
	}
	doc["type"] = typePrefix + string(p.Code)
	doc["title"] = p.Title
	doc["status"] = p.Status
	doc["detail"] = p.Detail
	doc["code"] = p.Code
	for member, text := range map[string]string{"advice": p.Advice, "staff": p.Staff} {
		delete(doc, member)
		if text != "" {
			doc[member] = text
		}
	}
	return json.Marshal(doc)
}

// Body is the document as it is sent, for those who must keep it.
func (p Problem) Body() []byte {
	b, err := json.Marshal(p)
	if err != nil { // an extra member that JSON cannot hold
		p.Extra = nil
		b, _ = json.Marshal(p)
	}
	return b
}

// Write answers a request with the problem.
func Write(w http.ResponseWriter, p Problem) {
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Content-Language", "zh-CN")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	// A client that has gone away cannot be told anything; the server's log has the broken connection.
	_, _ = w.Write(p.Body())
}
