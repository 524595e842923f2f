// Package policy decides what a caller may do. Policies are documents in the form of Alibaba Cloud's Resource Access Management;
// the actions and resources they name, of whichever vendor, are translated once, when the document is parsed, to one neutral
// list of verbs and names, so that a statement holds through every dialect. A denial beats a permission, and what nothing permits
// is denied. The package knows nothing of accounts, users or stores: whoever asks brings the documents and the facts.
package policy
