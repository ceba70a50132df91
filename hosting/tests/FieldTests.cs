using System;
using System.Linq;
using System.Text;
using Ancm.Hosting.Http;
using Microsoft.Extensions.Primitives;

namespace Ancm.Hosting.Tests
{
    internal static class FieldTests
    {
        public static void FieldIsFoundInAnyCaseAndKeepsItsOwn()
        {
            var fields = new FieldList(validates: true) { ["x-MiXeD"] = "1" };
            Check.Equal("1", fields["X-Mixed"].ToString());
            fields["X-MIXED"] = new[] { "2", "3" };
            Check.Equal("x-MiXeD", fields.NameAt(0));
            Check.Equal("2,3", fields["x-mixed"].ToString());
            fields["X-MIXED"] = StringValues.Empty;
            Check.Equal(0, fields.Count);
        }

        public static void OrderIsKeptAndRemovalClosesTheGap()
        {
            var fields = new FieldList(validates: true);
            for (var number = 0; number < 40; number++)
            {
                fields["n" + number] = number.ToString();
            }
            fields.Remove("n3");
            Check.Equal("n2,n4", string.Join(",", fields.Skip(2).Take(2).Select(field => field.Key)));
            Check.Equal(39, fields.Count);
            Check.Equal("39", fields["N39"].ToString());
        }

        public static void WhatCouldSplitAMessageIsRefused()
        {
            var fields = new FieldList(validates: true);
            foreach (var value in new[] { "a\r\nb: c", "a\n", "a\0", "é", "\x7f" })
            {
                Check.Throws<InvalidOperationException>(() => fields["A"] = value);
            }
            foreach (var name in new[] { "", "a b", "a:", "a\r", "é" })
            {
                Check.Throws<InvalidOperationException>(() => fields[name] = "x");
            }
            Check.Throws<InvalidOperationException>(() => fields["Content-Length"] = "-1");
            Check.Throws<InvalidOperationException>(() => fields["content-length"] = "1x");
            Check.Equal(0, fields.Count);
            fields["A"] = "tab\tand ~";
            Check.Equal(1, fields.Count);
        }

        public static void SealedListRefusesAllChanges()
        {
            var fields = new FieldList(validates: true) { ["A"] = "1" };
            fields.Seal();
            Check.Throws<InvalidOperationException>(() => fields["B"] = "1");
            Check.Throws<InvalidOperationException>(() => fields.Remove("A"));
            Check.Throws<InvalidOperationException>(() => fields.Clear());
            Check.Throws<InvalidOperationException>(() => fields.ContentLength = 1);
        }

        public static void LengthIsANumber()
        {
            var fields = new FieldList(validates: true) { ContentLength = 5 };
            Check.Equal("5", fields["Content-Length"].ToString());
            fields.ContentLength = long.MaxValue;
            Check.Equal((long?)long.MaxValue, fields.ContentLength);
            fields.ContentLength = null;
            Check.Equal(false, fields.ContainsKey("Content-Length"));
        }

        public static void NamesOfHttp1GetTheirCapitals()
        {
            foreach (var (name, isHttp2, expected) in new[]
            {
                ("host", false, "Host"),
                ("user-agent", true, "User-Agent"),
                ("x-foo-bar", false, "X-Foo-Bar"),
                ("x-foo-bar", true, "x-foo-bar"),
                ("x--1a", false, "X--1a"),
                // One bit apart from a known name, and no letter.
                ("t\x05", false, "T\x05"),
            })
            {
                Check.Equal(expected, ReceivedFields.Name(Encoding.ASCII.GetBytes(name), isHttp2), name);
            }
        }

        public static void IdsOfConnectionsHaveThirteenDigits()
        {
            Check.Equal("0000000000000", Base32.Text(0));
            Check.Equal("000000000000V", Base32.Text(31));
            Check.Equal("0000000000010", Base32.Text(32));
            Check.Equal("FVVVVVVVVVVVV", Base32.Text(ulong.MaxValue));
        }
    }
}
