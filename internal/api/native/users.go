package native

import (
	"context"
	"time"

	"errand/internal/core"
)

// User is a user or a role of an account.
type User struct {
	Name        string    `json:"name"`
	Kind        string    `json:"kind"` // user or role
	Description string    `json:"description"`
	Disabled    bool      `json:"disabled"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// Users is a list of users.
type Users struct {
	Users []User `json:"users"`
}

func showUser(u *core.User) User {
	return User{
		Name: u.Name, Kind: string(u.Kind), Description: u.Description, Disabled: u.Disabled, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

func (d *Dialect) listUsers(ctx context.Context, c core.Caller, _ *empty) (*Users, error) {
	rows, err := d.env.Service.Users(ctx, c)
	list := Users{Users: make([]User, len(rows))}
	for i := range rows {
		list.Users[i] = showUser(&rows[i])
	}
	return &list, err
}

type createUser struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"` // user if left out
	Description string `json:"description"`
}

func (d *Dialect) createUser(ctx context.Context, c core.Caller, req *createUser) (*User, error) {
	kind := core.UserKind(req.Kind)
	if kind == "" {
		kind = core.UserPerson
	}
	u, err := d.env.Service.CreateUser(ctx, c, req.Name, kind, req.Description)
	out := showUser(&u)
	return &out, err
}

type oneUser struct {
	Name string `json:"-" path:"name"`
}

func (d *Dialect) getUser(ctx context.Context, c core.Caller, req *oneUser) (*User, error) {
	u, err := d.env.Service.User(ctx, c, req.Name)
	out := showUser(&u)
	return &out, err
}

type changeUser struct {
	Name        string  `json:"-" path:"name"`
	Description *string `json:"description"`
	Disabled    *bool   `json:"disabled"`
}

func (d *Dialect) changeUser(ctx context.Context, c core.Caller, req *changeUser) (*User, error) {
	u, err := d.env.Service.ChangeUser(ctx, c, req.Name, core.UserChange{Description: req.Description, Disabled: req.Disabled})
	out := showUser(&u)
	return &out, err
}

func (d *Dialect) deleteUser(ctx context.Context, c core.Caller, req *oneUser) (*empty, error) {
	return &empty{}, d.env.Service.DeleteUser(ctx, c, req.Name)
}
