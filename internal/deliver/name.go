package deliver

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// maxKey is the length of the longest object name in bytes that every store takes; S3 allows one more.
// https://www.alibabacloud.com/help/en/oss/user-guide/object-naming-conventions
const maxKey = 1023

// ObjectName is the name of the object that holds the output of a task: prefix/invocation/task.log without the parts that are empty. The
// prefix may have slashes within and around it.
func ObjectName(prefix, invocation, task string) string {
	parts := []string{strings.Trim(prefix, "/"), invocation, task + ".log"}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), "/")
}

// ObjectURL is the address of an object in the bucket that has this address.
func ObjectURL(bucketURL, key string) string {
	return strings.TrimRight(bucketURL, "/") + "/" + s3utils.EncodePath(key)
}

// ParsePlace reads the address of a bucket, in either vendor's notation, and the prefix of names in it.
func ParsePlace(address, prefix string) (bucket string, err error) {
	if strings.HasPrefix(address, ossScheme) {
		bucket, _, err = ParseOSS(address)
	} else {
		bucket, err = ParseCOS(address)
	}
	if err == nil && prefix != "" {
		err = checkKey(strings.TrimSuffix(prefix, "/"))
	}
	return bucket, err
}

// URI is where an object is found, in the notation of the address of its bucket.
func URI(address, bucket, key string) string {
	if strings.HasPrefix(address, ossScheme) {
		return ossScheme + bucket + "/" + key
	}
	return ObjectURL(address, key)
}

const ossScheme = "oss://"

// ParseOSS reads a place in Alibaba Cloud's notation, oss://bucket/prefix. The prefix may be missing.
func ParseOSS(place string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(place, ossScheme)
	if !ok {
		return "", "", &refusal{FaultNoBucket, fmt.Sprintf("%q does not start with oss://", place)}
	}
	bucket, prefix, _ = strings.Cut(rest, "/")
	if err := checkVendorBucket(bucket); err != nil {
		return "", "", err
	}
	if prefix != "" {
		if err := checkKey(strings.TrimSuffix(prefix, "/")); err != nil {
			return "", "", err
		}
	}
	return bucket, prefix, nil
}

// ParseCOS reads the address of a bucket in Tencent Cloud's notation, https://bucket-appid.cos.region.myqcloud.com; the bucket is the first
// label of the host, or the path if there is one, as in https://host/bucket. What follows the bucket in the host is not looked at: output
// goes to the endpoint that the operator configured.
func ParseCOS(address string) (bucket string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", &refusal{FaultNoBucket, fmt.Sprintf("%q is no address", address)}
	}
	if u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", &refusal{FaultNoBucket, fmt.Sprintf("%q is not the https address of a bucket", address)}
	}
	bucket = strings.Trim(u.Path, "/")
	if bucket == "" {
		if net.ParseIP(u.Hostname()) != nil {
			return "", &refusal{FaultNoBucket, fmt.Sprintf("%q names no bucket", address)}
		}
		bucket, _, _ = strings.Cut(strings.ToLower(u.Hostname()), ".")
	}
	return bucket, checkVendorBucket(bucket)
}

// checkVendorBucket holds where names of buckets have no dots, because each is one label of a host.
//
//   - https://www.alibabacloud.com/help/en/oss/user-guide/bucket-naming-conventions
//   - https://www.tencentcloud.com/document/product/436/13312
func checkVendorBucket(name string) error {
	if strings.Contains(name, ".") {
		return &refusal{FaultNoBucket, fmt.Sprintf("no bucket has the name %q", name)}
	}
	return checkBucket(name)
}

// checkBucket holds for all stores: 3 to 63 lower-case letters, digits, hyphens and dots.
func checkBucket(name string) error {
	if err := s3utils.CheckValidBucketNameStrict(name); err != nil {
		return &refusal{FaultNoBucket, fmt.Sprintf("no bucket has the name %q", name)}
	}
	return nil
}

// checkKey refuses names that some store refuses, or that a proxy or a store on a file system would take for another name.
func checkKey(key string) error {
	dotted := func(element string) bool { return element == "." || element == ".." }
	var fault string
	switch {
	case key == "":
		fault = "is empty"
	case len(key) > maxKey:
		fault = fmt.Sprintf("is longer than %d bytes", maxKey)
	case !utf8.ValidString(key):
		fault = "is not UTF-8"
	case key[0] == '/' || key[0] == '\\':
		fault = "starts with a slash"
	case strings.ContainsFunc(key, unicode.IsControl):
		fault = "contains a control character"
	case slices.ContainsFunc(strings.Split(key, "/"), dotted):
		fault = "contains . or .. as an element"
	default:
		return nil
	}
	return &refusal{FaultInvalidName, "the object name " + fault}
}
