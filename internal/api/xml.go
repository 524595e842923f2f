package api

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
)

// EncodeXML renders a response struct as Alibaba's XML: one element per field, a list as its element repeated. It walks the same structs that
// JSON is made from, so the two forms cannot differ.
func EncodeXML(root string, v any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("<?xml version='1.0' encoding='UTF-8'?>")
	if err := writeXML(&b, root, reflect.ValueOf(v)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeXML(b *bytes.Buffer, name string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return writeXML(b, name, v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if err := writeXML(b, name, v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Struct:
		b.WriteString("<" + name + ">")
		if err := writeFields(b, v); err != nil {
			return err
		}
	case reflect.String:
		b.WriteString("<" + name + ">")
		if err := xml.EscapeText(b, []byte(v.String())); err != nil {
			return err
		}
	case reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint64:
		fmt.Fprintf(b, "<%s>%v", name, v.Interface())
	default:
		return fmt.Errorf("element %s has a type that no answer can have: %s", name, v.Type())
	}
	b.WriteString("</" + name + ">")
	return nil
}

func writeFields(b *bytes.Buffer, v reflect.Value) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if err := writeFields(b, v.Field(i)); err != nil {
				return err
			}
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if strings.Contains(opts, "omitempty") && v.Field(i).IsZero() {
			continue
		}
		if err := writeXML(b, name, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}
